"""The command that pays: worker."""

from __future__ import annotations

import logging
import signal
import threading

import click

from footnote.addresses import format_address
from footnote.logs import set_up_logs
from footnote.settings import read_settings
from rewards.commands.common import say
from rewards.metrics import serve
from rewards.worker import build_worker


@click.command()
@click.option("--once", is_flag=True, help="Settle what is due, wait until it is final, and end.")
def worker(once: bool) -> None:
    """Settle what receipts owe, for ever.

    Uses FOOTNOTE_RPC_URL, FOOTNOTE_DISTRIBUTOR_KEYSTORE and, to be woken at once,
    FOOTNOTE_REDIS_URL; FOOTNOTE_METRICS_PORT serves its numbers. It may be killed and started
    again at any moment.
    """
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    settings = read_settings()
    set_up_logs(settings.log_format, logging.INFO)
    running = build_worker(settings)
    say(f"worker {format_address(running.settler.key.address)} is running")
    if once:
        running.settler.chain.identity()  # nothing would be settled, and nobody told
        while running.pass_once() and not stop.wait(0.3):
            pass
        return
    port, journal = settings.metrics_port, running.settler.journal
    end = serve(port, journal, running.doings) if port else None
    running.run(stop)
    if end is not None:
        end()
