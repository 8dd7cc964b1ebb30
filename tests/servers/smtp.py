#!/usr/bin/env python3
"""Takes mail on loopback, for tests, with what Debian's python3-aiosmtpd has.

smtp.py FOLDER CERTIFICATE KEY PASSWORD    listens on a free port of 127.0.0.1 and prints it. STARTTLS first, then the
                                           user `aludel` with the password. Each message becomes a file N.eml in
                                           FOLDER, after its envelope. The first one is put off with 451.

Ends when its standard input is closed. Exit code 77: aiosmtpd is not there.
"""
import ssl
import sys
from pathlib import Path

try:
    from aiosmtpd.controller import Controller
    from aiosmtpd.smtp import AuthResult
except ImportError as error:
    print(f"smtp: {error}", file=sys.stderr)
    sys.exit(77)


class Taker:
    def __init__(self, folder):
        self.folder, self.seen = Path(folder), 0

    async def handle_DATA(self, server, session, envelope):
        self.seen += 1
        if self.seen == 1:
            return "451 4.3.0 not now"
        head = f"{envelope.mail_from} {' '.join(envelope.rcpt_tos)}\n"
        aside = self.folder / f"{self.seen}.new"
        aside.write_bytes(head.encode() + envelope.content)
        aside.rename(self.folder / f"{self.seen}.eml")
        return "250 2.0.0 taken"


def main(folder, certificate, key, password):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)

    def authenticate(server, session, envelope, mechanism, data):
        known = data.login == b"aludel" and data.password == password.encode()
        return AuthResult(success=known, handled=known)

    import socket

    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    controller = Controller(
        Taker(folder),
        hostname="127.0.0.1",
        port=port,
        tls_context=context,
        require_starttls=True,
        auth_required=True,
        authenticator=authenticate,
    )
    controller.start()
    print(port, flush=True)
    sys.stdin.read()
    controller.stop()


main(*sys.argv[1:5])
