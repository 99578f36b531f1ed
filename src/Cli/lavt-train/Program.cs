return Lavt.Cli.Programs.RunTrain(args);
