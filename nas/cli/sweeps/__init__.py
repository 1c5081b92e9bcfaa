"""Commands about many searches: for several devices, over settings, again after recovery, and on a table."""
