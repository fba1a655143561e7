"""From camera frame or vendor feed to plate read."""
