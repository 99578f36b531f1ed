namespace Lavt.Kernels.Cuda.Driver;

/// <summary>Where the libraries of CUDA may be, the likeliest places first.</summary>
internal static class LibrarySearch
{
    private static readonly string[] s_driverFolders =
    [
        "/usr/lib/x86_64-linux-gnu", "/usr/lib64", "/usr/local/nvidia/lib64", "/usr/local/nvidia/lib", "/usr/lib/wsl/lib", "/run/opengl-driver/lib",
    ];

    /// <summary>Files that may be the driver; a name without folder is left to the system's loader.</summary>
    /// <remarks>Never the libcuda.so in a toolkit's folder <c>stubs</c>, which answers every call with an error.</remarks>
    public static IEnumerable<string> DriverFiles()
    {
        if (Variable("LAVT_CUDA_LIB") is { } file) return [file];
        return s_driverFolders.Select(folder => folder + "/libcuda.so.1").Prepend("libcuda.so.1");
    }

    /// <summary>Files that may be NVRTC: of the toolkit, of the system's loader, of Python packages.</summary>
    public static IEnumerable<string> CompilerFiles()
    {
        if (Variable("LAVT_NVRTC_LIB") is { } file) return [file];
        return
        [
            .. ToolkitFolders().SelectMany(Versions),
            "libnvrtc.so.13", "libnvrtc.so.12", "libnvrtc.so",
            .. SitePackages().SelectMany(site => new[] { "nvidia/cu13/lib", "nvidia/cuda_nvrtc/lib", "nvidia/cu12/lib" }.SelectMany(sub => Versions($"{site}/{sub}"))),
        ];
    }

    /// <summary>Where NCCL may be: where the variable says, on the loader's path, beside Python packages.</summary>
    public static IEnumerable<string> CollectivesFiles()
    {
        if (Variable("LAVT_NCCL_LIB") is { } file) return [file];
        return ["libnccl.so.2", "libnccl.so", .. SitePackages().Select(site => $"{site}/nvidia/nccl/lib/libnccl.so.2")];
    }

    private static IEnumerable<string> ToolkitFolders()
    {
        foreach (string variable in (string[])["CUDA_HOME", "CUDA_PATH"])
            if (Variable(variable) is { } home)
                foreach (string sub in (string[])["lib64", "targets/x86_64-linux/lib", "lib"]) yield return $"{home}/{sub}";
        yield return "/usr/local/cuda/lib64";
        foreach (string toolkit in Folders("/usr/local", "cuda-*")) yield return $"{toolkit}/lib64";
    }

    /// <summary>The libnvrtc files of a folder, newest first, without libnvrtc-builtins and the alternative builds.</summary>
    private static IEnumerable<string> Versions(string folder) => !Directory.Exists(folder) ? [] :
        Directory.EnumerateFiles(folder, "libnvrtc.so*")
            .Where(file => !file.Contains(".alt.", StringComparison.Ordinal))
            .OrderByDescending(file => Path.GetFileName(file) is "libnvrtc.so.13" or "libnvrtc.so.12")
            .ThenByDescending(file => file, StringComparer.Ordinal);

    /// <summary>Folders with Python packages: the active environment, that of the python3 on PATH, the system's, and common places for others.</summary>
    private static IEnumerable<string> SitePackages()
    {
        string home = Variable("HOME") ?? "/root";
        List<string> prefixes = [];
        if (Variable("VIRTUAL_ENV") is { } environment) prefixes.Add(environment);
        foreach (string folder in Parts("PATH"))
            if (File.Exists($"{folder}/python3") && Path.GetDirectoryName(folder) is { } prefix) prefixes.Add(prefix);
        prefixes.AddRange(["/usr/local", "/usr", $"{home}/.local"]);
        foreach (string root in (string[])["/opt", home])
            foreach (string folder in Folders(root, "*").Prepend(root))
                prefixes.AddRange([folder, $"{folder}/.venv", $"{folder}/venv"]);
        IEnumerable<string> packages = prefixes.SelectMany(prefix => Folders($"{prefix}/lib", "python3*"))
            .SelectMany(python => new[] { $"{python}/site-packages", $"{python}/dist-packages" });
        return Parts("PYTHONPATH").Concat(packages).Distinct();
    }

    private static string[] Parts(string variable) => (Variable(variable) ?? "").Split(':', StringSplitOptions.RemoveEmptyEntries);

    private static string[] Folders(string folder, string pattern)
    {
        try
        {
            return Directory.Exists(folder) ? [.. Directory.EnumerateDirectories(folder, pattern).OrderDescending(StringComparer.Ordinal)] : [];
        }
        catch (UnauthorizedAccessException)
        {
            return [];
        }
    }

    private static string? Variable(string name) => Environment.GetEnvironmentVariable(name) is { Length: > 0 } value ? value : null;
}
