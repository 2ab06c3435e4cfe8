# Copyright (c) 2026 The Baton authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""One HTTP request, made on a host: far.py gives this text to the host's Python. Needs nothing but its standard library.

Standard input is one JSON object: url, method, headers, body (base64, or null), ca (PEM text, or null: the system's CAs), crl (PEM text
of a list of revoked certificates, or null), connect and read (seconds). The answer is one, too: status, headers and body; or error, what
went wrong, with text, errno and sent, whether the server may have the request. No proxy is used. The token comes on standard input alone,
where nobody sees it.
"""

from __future__ import annotations

import base64
import http.client
import json
import socket
import ssl
import sys
import tempfile
from urllib.parse import urlsplit


def connection_to(order):
    """Return a connection that is not made yet."""
    parts = urlsplit(order["url"])
    if parts.scheme == "http":
        return http.client.HTTPConnection(parts.hostname, parts.port, timeout=order["connect"])
    return http.client.HTTPSConnection(parts.hostname, parts.port, timeout=order["connect"], context=context_of(order))


def context_of(order):
    """Return what tls.py makes on the controller; ValueError where the list of revoked certificates can't be used."""
    context = ssl.create_default_context(cadata=order["ca"])
    context.verify_flags &= ~getattr(ssl, "VERIFY_X509_STRICT", 0)  # newer Pythons are stricter than the client on the controller
    if order["crl"] is not None:
        try:
            with tempfile.NamedTemporaryFile("w") as file:  # OpenSSL takes a list from a file only; it is no secret
                file.write(order["crl"])
                file.flush()
                context.load_verify_locations(file.name)
        except OSError as error:
            raise ValueError("the host can't use the list of revoked certificates: " + str(error)) from None
        context.verify_flags |= ssl.VERIFY_CRL_CHECK_LEAF
    return context


def ask(order):
    """Return the server's answer, or what went wrong."""
    sent = False
    try:
        connection = connection_to(order)
        connection.connect()
        connection.sock.settimeout(order["read"])
        sent = True
        parts = urlsplit(order["url"])
        path = parts.path + ("?" + parts.query if parts.query else "")
        connection.request(order["method"], path, None if order["body"] is None else base64.b64decode(order["body"]), order["headers"])
        answer = connection.getresponse()
        body = answer.read()
        return {"status": answer.status, "headers": answer.getheaders(), "body": base64.b64encode(body).decode()}
    except socket.gaierror as error:
        return failed("name", error, sent)
    except ssl.SSLCertVerificationError as error:
        return failed("trust", error, sent, error.verify_message)
    except ssl.SSLError as error:
        return failed("tls", error, sent, error.reason)
    except socket.timeout as error:
        return failed("timeout", error, sent)
    except http.client.RemoteDisconnected as error:
        return failed("closed", error, sent)
    except http.client.IncompleteRead as error:
        return failed("cut", error, sent)
    except (OSError, ValueError, http.client.HTTPException) as error:
        return failed("other", error, sent)


def failed(error, found, sent, text=None):
    return {"error": error, "text": text or str(found), "errno": getattr(found, "errno", None), "sent": sent}


if __name__ == "__main__":
    json.dump(ask(json.load(sys.stdin)), sys.stdout)
