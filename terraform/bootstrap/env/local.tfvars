# The emulator makes the roles, too, so that all of this is tried out: the repository does not exist.
github = { repository = "example/sendmill" }
