"""kombu's Redis transport with bulk fetch: fewer round trips, and no message unregistered."""
