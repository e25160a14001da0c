"""etcd 3.4 and newer, over its JSON gateway."""
