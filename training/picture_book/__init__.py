"""The drawn picture-book world: its vocabulary, its drawings and its stories."""
