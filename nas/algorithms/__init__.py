"""Search algorithms: functions of what has been scored so far, without torch, disk or clock."""
