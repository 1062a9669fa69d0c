"""The watch: small processes beside the web platform that go on when it does not: probes, time beacon, status page, digest drop."""
