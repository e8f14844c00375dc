"""Fill the pages: progress, coloured output, a long traceback, a wait between attempts, files."""

import csv
import json
import time
from pathlib import Path
from typing import Any

from localfn import Context, function

GREEN, YELLOW, RED, BOLD, PLAIN = "\x1b[32m", "\x1b[33m", "\x1b[1;31m", "\x1b[1m", "\x1b[0m"


@function
def print_numbers(event: dict[str, Any], context: Context) -> None:
    print(*range(1, event["to"] + 1), sep="\n")


@function(timeout_s=600, memory_mb=256)
def build_report(event: dict[str, Any], context: Context) -> dict[str, Any]:
    """Build a monthly report from orders, step by step; {"steps", "pause_s"} set its duration."""
    steps, pause_s = int(event.get("steps", 8)), float(event.get("pause_s", 0.2))
    print(f"{BOLD}report{PLAIN} for {event.get('month', '2026-10')}, {steps} regions")
    for step in range(1, steps + 1):
        context.progress(step / steps, f"region {step} of {steps}")
        print(f"{GREEN}ok{PLAIN}   region {step}: {step * 1_317} orders")
        if step % 4 == 0:
            print(f"{YELLOW}warn{PLAIN} region {step}: 3 orders without a date")
        time.sleep(pause_s)
    table = Path("report.csv")
    with table.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["region", "orders", "revenue"])
        writer.writerows([f"region {n}", n * 1_317, round(n * 1_317 * 23.9, 2)] for n in range(1, steps + 1))
    context.save_file(table)
    return {"regions": steps, "orders": sum(n * 1_317 for n in range(1, steps + 1)), "currency": "EUR", "late": []}


@function(max_attempts=3, retry_delay_s=1)
def sync_inventory(event: dict[str, Any], context: Context) -> dict[str, Any]:
    """Fail like a call of a busy partner until the attempt {"succeed_at"}, if it is given."""
    context.logger.info("asking the partner for %s", event.get("warehouse", "WH-7"))
    if context.attempt < int(event.get("succeed_at", 2)):
        raise ConnectionError("the partner answered 503 Service Unavailable")
    return {"warehouse": event.get("warehouse", "WH-7"), "articles": 1204}


@function
def charge_invoice(event: dict[str, Any], context: Context) -> dict[str, Any]:
    """Fail inside a library: the invoice is broken JSON."""
    print(f"{RED}invoice {event.get('invoice', 'A-1047')} looks odd{PLAIN}")
    return _charge(event)


def _charge(event: dict[str, Any]) -> dict[str, Any]:
    invoice = json.loads(event.get("document", '{"amount": 12,}'))
    return {"charged": invoice["amount"]}
