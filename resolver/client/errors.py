"""Why there is no answer. A server's refusal is an answer and no error.

ClientError
├── NoAnswer          nobody answered in time
├── BadAnswer         what came is no answer to the question
├── NotConfigured     a referral leads to a host that nobody configured
└── ReferralLoop      referrals lead in a circle, or on and on
"""


class ClientError(Exception):
    """The question was not answered."""


class NoAnswer(ClientError):
    pass


class BadAnswer(ClientError):
    pass


class NotConfigured(ClientError):
    pass


class ReferralLoop(ClientError):
    pass
