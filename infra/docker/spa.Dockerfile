# Run Vite's server with hot reload in front of a local web container. Build from spa/.
ARG NODE_IMAGE=node:22-slim
FROM ${NODE_IMAGE}
ENV NODE_ENV=development
WORKDIR /spa
COPY package.json package-lock.json ./
RUN npm ci --no-audit --no-fund --no-progress --loglevel=error \
  # Vite writes its compiled configuration and its cache below node_modules.
  && mkdir -p node_modules/.vite node_modules/.vite-temp \
  && chown 1000:1000 /spa node_modules node_modules/.vite node_modules/.vite-temp
COPY --chown=1000:1000 . ./
USER 1000:1000
EXPOSE 5173
CMD ["./dev-in-container"]
