# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Certificates for tests: a CA, node certificates as the role makes them, and a list of those that are revoked."""

import datetime
import ipaddress
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID


class Authority:
    """A CA in a folder: ca.pem, and NAME.pem and NAME.key for each node."""

    def __init__(self, folder, name="test CA"):
        self.folder = Path(folder)
        self.folder.mkdir(parents=True, exist_ok=True)
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = self._named(name)
        builder = self._builder(self._name, self._key).add_extension(x509.BasicConstraints(True, 0), critical=True)
        builder = builder.add_extension(self._usage(key_cert_sign=True, crl_sign=True), critical=True)
        builder = builder.add_extension(x509.SubjectKeyIdentifier.from_public_key(self._key.public_key()), critical=False)
        self._write("ca.pem", builder.sign(self._key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM))
        self._revoked = []
        self.revoke()

    @staticmethod
    def _usage(**given):
        names = ["digital_signature", "content_commitment", "key_encipherment", "data_encipherment"]
        names += ["key_agreement", "key_cert_sign", "crl_sign", "encipher_only", "decipher_only"]
        return x509.KeyUsage(**{**dict.fromkeys(names, False), **given})

    @staticmethod
    def _named(text):
        return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])

    def _builder(self, subject, key, ended=False):
        now = datetime.datetime.now(datetime.timezone.utc)
        builder = x509.CertificateBuilder().subject_name(subject).issuer_name(self._name).public_key(key.public_key())
        day = datetime.timedelta(days=1)
        builder = builder.not_valid_before(now - 2 * day).not_valid_after(now - day if ended else now + day)
        return builder.serial_number(x509.random_serial_number())

    def _write(self, name, data):
        path = self.folder / name
        path.write_bytes(data)
        path.chmod(0o600)

    def revoke(self, *nodes):
        """Put the certificates of these nodes on the list, crl.pem."""
        now = datetime.datetime.now(datetime.timezone.utc)
        for node in nodes:
            serial = x509.load_pem_x509_certificate((self.folder / f"{node}.pem").read_bytes()).serial_number
            self._revoked.append(x509.RevokedCertificateBuilder().serial_number(serial).revocation_date(now).build())
        builder = x509.CertificateRevocationListBuilder().issuer_name(self._name).last_update(now)
        builder = builder.next_update(now + datetime.timedelta(days=1))
        for item in self._revoked:
            builder = builder.add_revoked_certificate(item)
        self._write("crl.pem", builder.sign(self._key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM))

    @staticmethod
    def _alternative(text):
        try:
            return x509.IPAddress(ipaddress.ip_address(text))
        except ValueError:
            return x509.DNSName(text)

    def issue(self, node, *addresses, ended=False):
        """Make NODE.pem and NODE.key for addresses or names; return the options of batond."""
        key = ec.generate_private_key(ec.SECP256R1())
        names = x509.SubjectAlternativeName([self._alternative(item) for item in addresses])
        usage = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH])
        builder = self._builder(self._named(node), key, ended).add_extension(names, False).add_extension(usage, False)
        # What Python 3.13 asks for by itself (VERIFY_X509_STRICT).
        issuer = x509.AuthorityKeyIdentifier.from_issuer_public_key(self._key.public_key())
        builder = builder.add_extension(self._usage(digital_signature=True), True).add_extension(issuer, False)
        self._write(f"{node}.pem", builder.sign(self._key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM))
        plain = serialization.NoEncryption()
        self._write(f"{node}.key", key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, plain))
        return ["--tls-ca", self.folder / "ca.pem", "--tls-cert", self.folder / f"{node}.pem", "--tls-key", self.folder / f"{node}.key"]
