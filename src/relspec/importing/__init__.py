"""From what a team has to what relspec reads: today a Compose file, taken over by `relspec init --from`."""
