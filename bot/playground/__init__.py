"""A Slack and a Kubernetes API that run on loopback, and a page to look at them: for trying the bot, never for serving it."""
