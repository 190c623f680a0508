"""A client of the native protocol: asks servers over UDP, TCP and HTTP, and follows where they refer to.

    client = Client([Server.from_text("127.0.0.1:2641")])
    resolved = await client.resolve("88.168.10/E.WINDER.A01.07", types=["URL"])

`Client` is in `client`, `Server` in `servers`, what can go wrong in `errors`. Read in this order: errors, servers,
exchange, referral, verification, client.
"""
