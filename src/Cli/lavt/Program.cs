return Lavt.Cli.LavtProgram.Run(args);
