"""The programs that ask, each run as a process of its own and printing one line of JSON."""
