"""The command line: the only place that prints, sets exit codes and draws progress bars."""
