return Lavt.Cli.Programs.RunEval(args);
