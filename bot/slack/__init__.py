"""The Slack door: what people type and click comes in, rendered answers go out. What answers is injected."""
