"""Sessions of the foreign client whose key one side makes and sends under the other's RSA key (modes 1 to 3)."""

import secrets
import struct
from dataclasses import replace

from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, RSAPublicKey

from tests.journeys.foreign import Question, Reading, Reply, Session, public_key_data, text

AES = struct.pack(">I", 3)


class KeySession(Session):
    """Mode 1: the node makes a key for ours; 2: we make one for the node's; 3: the node's, for ours in a handle."""

    def __init__(
        self, mode: int, identity: tuple[str, int], version: tuple[int, int], own: RSAPrivateKey, named: tuple[str, int]
    ) -> None:
        super().__init__(identity, version)
        self._mode, self._own = mode, own
        key = {
            1: text(public_key_data(own.public_key()) + bytes(4)),  # the reference leaves four octets behind
            2: b"",
            3: text(named[0]) + struct.pack(">I", named[1]),
        }[mode]
        body = struct.pack(">HI", mode, 86_400) + text(identity[0]) + struct.pack(">i", identity[1]) + key + bytes(2)
        self.setup = replace(self.setup, body=body)

    def opened(self, answer: Reply, server: RSAPublicKey) -> Question | None:
        """What is to be sent next, in mode 2."""
        assert (answer.op, answer.code) == (400, 1)
        content = answer.content
        assert content.take("H") == (self._mode,)
        octets = content.counted()
        self.id = answer.session_id
        if self._mode == 2:
            return self._key_for(server, octets)
        clear = self._own.decrypt(octets, PKCS1v15())
        assert clear[:4] == AES
        self.key = clear[4:]
        return None

    def _key_for(self, server: RSAPublicKey, told: bytes) -> Question:
        key = Reading(told)
        assert (key.counted(), key.take("H")) == (b"RSA_PUB_KEY", (0,))
        numbers = server.public_numbers()
        assert [int.from_bytes(key.counted(), "big") for _ in range(2)] == [numbers.e, numbers.n]
        # The reference's client leaves the cipher out; whoever reads the specification does not.
        self.key = secrets.token_bytes(32 if self.version[1] % 2 else 16)
        clear = self.key if self.version >= (2, 11) else AES + self.key
        fields = {"flags": self.setup.flags, "version": self.version, "suggested": self.version}
        return Question(402, text(server.encrypt(clear, PKCS1v15())), session_id=self.id, **fields)
