return Lavt.Cli.Programs.RunLavt(args);
