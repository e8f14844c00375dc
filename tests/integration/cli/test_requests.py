"""Run `localfn requests`: list and control accepted requests."""

import json
from datetime import datetime
from pathlib import Path

from tests.support.commands import LIMIT_S, NOWHERE, list_ids, localfn, run_json, running_command
from tests.support.runtime import Runtime
from tests.support.waiting import wait_until


def test_each_page_of_requests_continues_after_the_previous_one(runtime: Runtime) -> None:
    ids = [runtime.call("order_as_dict", {"article": f"page-{n}"})["id"] for n in range(5)]
    newest_first = list(reversed(ids))

    assert list_ids(runtime, "order_as_dict", "--q", "page-", "--all") == newest_first
    first = run_json(runtime, "requests", "list", "--q", '"page-', "--limit", "2")
    assert [item["id"] for item in first["items"]] == newest_first[:2]
    rest = list_ids(runtime, "order_as_dict", "--q", '"page-', "--cursor", first["next_cursor"])
    assert rest == newest_first[2:]
    assert list_ids(runtime, "order_as_dict", "--status", "failed", "--q", '"page-') == []
    assert list_ids(runtime, "order_as_dict", "--since", "1h", "--q", '"page-') == newest_first
    assert list_ids(runtime, "order_as_dict", "--until", "1h", "--q", '"page-') == []


def test_the_table_of_requests_fits_and_mentions_the_next_page(runtime: Runtime) -> None:
    ids = [runtime.call("raise_error")["id"] for _ in range(3)]

    done = localfn(runtime, "requests", "list", "--function", "raise_error", "--limit", "2")

    lines = done.stdout.splitlines()
    assert [line.split()[0] for line in lines] == ["ID", ids[2], ids[1]]
    assert "failed" in lines[1]
    assert "KeyError" in lines[1]
    assert max(map(len, lines)) <= 100
    assert f"--cursor {ids[1]}" in done.stderr


def test_a_request_is_shown_with_its_attempts_their_phases_and_the_traceback(runtime: Runtime) -> None:
    request = runtime.call("fail_twice")
    runtime.settled_attempts(request["id"])

    shown = localfn(runtime, "requests", "show", request["id"]).stdout

    assert "status    completed" in shown
    assert [line[:9] for line in shown.splitlines() if line.startswith("attempt ")] == [
        "attempt 1",
        "attempt 2",
        "attempt 3",
    ]
    assert "ConnectionError: attempt 2" in shown
    last = shown.partition("attempt 3")[2]
    assert [line.split()[0] for line in last.splitlines()[1:5]] == ["validate", "process", "save", "cleanup"]
    assert run_json(runtime, "requests", "show", request["id"])["id"] == request["id"]
    assert len(run_json(runtime, "requests", "attempts", request["id"])["items"]) == 3
    assert "attempt 2" in localfn(runtime, "requests", "attempts", request["id"]).stdout


def test_a_result_is_printed_and_a_failed_request_has_none(runtime: Runtime) -> None:
    completed, failed = runtime.call("echo", ["ä"]), runtime.call("raise_error")

    assert localfn(runtime, "requests", "result", completed["id"]).stdout == '["ä"]\n'
    assert run_json(runtime, "requests", "result", completed["id"])["data"] == ["ä"]
    refused = localfn(runtime, "requests", "result", failed["id"])
    assert (refused.returncode, refused.stdout) == (1, "")


def test_logs_are_printed_as_lines_and_as_objects(runtime: Runtime) -> None:
    request = runtime.call("talk")

    lines = localfn(runtime, "requests", "logs", request["id"]).stdout.splitlines()
    objects = localfn(runtime, "requests", "logs", request["id"], "--json").stdout.splitlines()

    printed = [
        "1 stdout on stdout",
        "1 stderr on stderr",
        "1 stderr WARNING talk: through logging",
        "1 stdout from a child",
    ]
    assert [line.partition(" ")[2] for line in lines] == printed
    found = [json.loads(line) for line in objects]
    assert [f"{one['attempt']} {one['stream']} {one['text']}" for one in found] == printed
    # A line has the time in this machine's zone, an object the time of the API.
    times = [datetime.fromisoformat(line.partition(" ")[0]) for line in lines]
    assert [datetime.fromisoformat(one["time"]) for one in found] == times
    assert localfn(runtime, "requests", "logs", request["id"], "--attempt", "2").stdout == ""


def test_logs_longer_than_one_response_are_printed_whole(runtime: Runtime) -> None:
    runtime.write(
        "wordy.py",
        "from localfn import function\n\n@function\ndef wordy(event, context):\n"
        "    for n in range(event):\n        print(n)\n",
    )
    wait_until(lambda: runtime.knows("wordy"), 20)
    request = runtime.call("wordy", 12_000)

    lines = localfn(runtime, "requests", "logs", request["id"]).stdout.splitlines()

    assert [int(line.split()[-1]) for line in lines] == list(range(12_000))


def test_logs_are_followed_until_the_end_and_through_the_cleanup(runtime: Runtime, tmp_path: Path) -> None:
    runtime.write(
        "chatty.py",
        "import pathlib, time\nfrom localfn import function\n\n@function\ndef chatty(event, context):\n"
        "    print('begun')\n    while not pathlib.Path(event).exists():\n        time.sleep(0.01)\n"
        "    print('ended')\n\n@chatty.cleanup\ndef tidy(event, context):\n    print('tidied')\n",
    )
    wait_until(lambda: runtime.knows("chatty"), 20)
    flag = tmp_path / "flag"
    request = runtime.post("chatty", str(flag))
    with running_command(runtime, "requests", "logs", "-f", request["id"]) as process:
        assert process.stdout is not None
        assert process.stdout.readline().endswith("1 stdout begun\n"), "before the request has ended"
        flag.touch()
        out, err = process.communicate(timeout=LIMIT_S)

    assert [line.split()[-1] for line in out.splitlines()] == ["ended", "tidied"]
    assert process.returncode == 0
    assert "completed in" in err


def test_bulk_commands_exit_with_the_code_of_the_first_error(runtime: Runtime, tmp_path: Path) -> None:
    event = {"flag": str(tmp_path / "flag")}
    ids = [runtime.post("wait_for_flag", event, params={"delay_s": 3600})["id"] for _ in range(2)]

    done = localfn(runtime, "requests", "cancel", ids[0], NOWHERE, ids[1])
    assert done.returncode == 4
    assert done.stdout.splitlines() == [f"{id}  cancelled" for id in ids]
    assert NOWHERE in done.stderr
    again = localfn(runtime, "requests", "cancel", ids[0], "--json")
    assert again.returncode == 1
    assert json.loads(again.stdout)["errors"][0]["status"] == 409

    (tmp_path / "flag").touch()
    assert localfn(runtime, "requests", "retry", *ids).stdout.count("will run again") == 2
    assert {runtime.wait_ended(id)["status"] for id in ids} == {"completed"}
    assert localfn(runtime, "requests", "delete", *ids).returncode == 0
    assert localfn(runtime, "requests", "show", ids[0]).returncode == 4


def test_purge_confirms_and_deletes_only_old_ended_requests(runtime: Runtime, tmp_path: Path) -> None:
    runtime.write("purged.py", "from localfn import function\n\n@function\ndef purged(event, context): ...\n")
    wait_until(lambda: runtime.knows("purged"), 20)
    ended = [runtime.call("purged")["id"] for _ in range(3)]
    waiting = runtime.post("purged", params={"delay_s": 3600})["id"]
    words = ("requests", "purge", "--function", "purged")

    assert localfn(runtime, *words, "--yes").stdout == "0 deleted\n", "none is older than 7 days"
    assert localfn(runtime, *words, "--older-than", "0s").returncode == 2, "no answer on stdin"
    refused = localfn(runtime, *words, "--older-than", "0s", stdin="n\n")
    assert "Delete 3 requests" in refused.stderr
    assert len(list_ids(runtime, "purged")) == 4
    assert localfn(runtime, *words, "--older-than", "0s", "--status", "failed", "--yes").stdout == "0 deleted\n"
    assert localfn(runtime, *words, "--older-than", "0s", stdin="y\n").stdout == f"{len(ended)} deleted\n"
    assert list_ids(runtime, "purged") == [waiting]
