"""How the bot is watched: metrics (Prometheus), logs with a request's id, optional traces (OpenTelemetry). Decides nothing."""
