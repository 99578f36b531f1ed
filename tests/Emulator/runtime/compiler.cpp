// libnvrtc's functions: compiling is done by g++, and the result is a shared library.
#include "device.h"
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <dlfcn.h>
#include <regex>
#include <unistd.h>

using namespace emulator;

namespace
{
    constexpr int CompilationFailed = 6;

    struct Program
    {
        std::string source, name, log, image;
        std::vector<std::pair<std::string, std::string>> headers;
    };

    std::string read(const std::string& file)
    {
        std::string text;
        FILE* in = fopen(file.c_str(), "rb");
        if (!in) return text;
        char part[65536];
        for (size_t n; (n = fread(part, 1, sizeof part, in)) > 0;) text.append(part, n);
        fclose(in);
        return text;
    }

    void write(const std::string& file, const std::string& text)
    {
        FILE* out = fopen(file.c_str(), "wb");
        fwrite(text.data(), 1, text.size(), out);
        fclose(out);
    }

    // The folder of this library, in which the headers lie too.
    std::string home()
    {
        Dl_info info;
        dladdr((void*)&home, &info);
        std::string file = info.dli_fname;
        return file.substr(0, file.rfind('/'));
    }

    // Makes C++ of preprocessed CUDA C++: what macros cannot do.
    std::string toHostCode(const std::string& source)
    {
        static const std::regex dynamic(R"(extern\s+EMULATED_SHARED\s+(?:__attribute__\s*\(\(aligned\([^)]*\)\)\)\s*)?([\w:]+(?:\s+\w+)*?)\s+(\w+)\s*\[\s*\]\s*;)");
        static const std::regex kernel(R"(EMULATED_KERNEL\s+void\s+(?:EMULATED_BOUNDS\(\(([^;{]*?)\)\)\s*)?(\w+)\s*\()");
        std::string table;
        for (std::sregex_iterator at(source.begin(), source.end(), kernel), end; at != end; ++at)
        {
            std::string name = (*at)[2], bounds = (*at)[1].matched ? (*at)[1].str() : "0";
            table += "{\"" + name + "\", &emulator::run<&" + name + ">, decltype(emulator::sizesOf(&" + name + "))::values, decltype(emulator::sizesOf(&" + name + "))::count, (unsigned)(" + bounds + ")},\n";
        }
        std::string code = std::regex_replace(source, dynamic, "$1* const $2 = ($1*)emulator::block->dynamicShared;");
        code = std::regex_replace(code, std::regex(R"(EMULATED_KERNEL\s+void\s+(?:EMULATED_BOUNDS\(\(([^;{]*?)\)\)\s*)?)"), "void ");
        code = std::regex_replace(code, std::regex("EMULATED_SHARED"), "static thread_local");
        return code + "\nextern \"C\" __attribute__((visibility(\"default\"))) const emulator::Kernel emulatedKernels[] = {\n" + table + "{nullptr, nullptr, nullptr, 0, 0}};\n";
    }

    int runCommand(const std::string& command, const std::string& folder, Program* program)
    {
        int result = system((command + " 2>>" + folder + "/log").c_str());
        if (result) program->log = read(folder + "/log");
        return result;
    }

    int compile(Program* program, const std::string& folder, const std::string& defines)
    {
        std::string library = home(), code = folder + "/" + program->name;
        write(code, program->source);
        // A header that the emulator has a twin of is the one with PTX; the twin is found first.
        for (auto& [name, text] : program->headers)
            if (access((library + "/include/" + name).c_str(), R_OK)) write(folder + "/" + name, text);
        std::string flags = " -std=c++17 -O1 -march=x86-64-v3 -ffp-contract=fast -fPIC -fno-exceptions -fno-rtti -fvisibility=hidden -fno-gnu-unique -Wall -Werror -Wno-unknown-pragmas -Wno-unused-function -Wno-unused-variable -Wno-unused-const-variable -Wno-attributes ";
        std::string preprocessed = folder + "/preprocessed.ii", host = folder + "/host.ii";
        if (runCommand("g++ -x c++ -E" + flags + defines + " -include cuda_emulation.h -I" + library + "/include -I" + folder + " " + code + " -o " + preprocessed, folder, program)) return CompilationFailed;
        write(host, toHostCode(read(preprocessed)));
        if (runCommand("g++ -shared" + flags + host + " -o " + folder + "/kernel.so -L" + library + " -lcuda_emulator -Wl,-rpath," + library, folder, program)) return CompilationFailed;
        std::string image = read(folder + "/kernel.so");
        uint64_t bytes = image.size();
        program->image = std::string("EMULATED") + std::string((const char*)&bytes, 8) + image;
        return 0;
    }
}

EXPORT int nvrtcVersion(int* major, int* minor)
{
    *major = 12;
    *minor = 8;
    return 0;
}

EXPORT const char* nvrtcGetErrorString(int result) { return result == CompilationFailed ? "NVRTC_ERROR_COMPILATION" : result ? "NVRTC_ERROR" : "NVRTC_SUCCESS"; }

EXPORT int nvrtcCreateProgram(Handle* program, const char* source, const char* name, int headers, const char* const* texts, const char* const* names)
{
    Program* made = new Program{source, name ? name : "kernel.cu", "", "", {}};
    for (int i = 0; i < headers; i++) made->headers.push_back({names[i], texts[i]});
    *program = made;
    return 0;
}

EXPORT int nvrtcCompileProgram(Handle program, int count, const char* const* options)
{
    std::string folder = "/tmp/emulatedXXXXXX", defines;
    if (!mkdtemp(folder.data())) return 1;
    for (int i = 0; i < count; i++)
    {
        if (!strncmp(options[i], "-D", 2)) defines += std::string(" '") + options[i] + "'";
        const char architecture[] = "--gpu-architecture=sm_";
        if (!strncmp(options[i], architecture, sizeof architecture - 1)) defines += " -DEMULATED_CAPABILITY=" + std::to_string(atoi(options[i] + sizeof architecture - 1));
    }
    int result = compile((Program*)program, folder, defines);
    if (system(("rm -rf " + folder).c_str())) return 1;
    return result;
}

EXPORT int nvrtcGetProgramLogSize(Handle program, size_t* bytes)
{
    *bytes = ((Program*)program)->log.size() + 1;
    return 0;
}

EXPORT int nvrtcGetProgramLog(Handle program, char* log)
{
    strcpy(log, ((Program*)program)->log.c_str());
    return 0;
}

EXPORT int nvrtcGetCUBINSize(Handle program, size_t* bytes)
{
    *bytes = ((Program*)program)->image.size();
    return 0;
}

EXPORT int nvrtcGetCUBIN(Handle program, char* image)
{
    memcpy(image, ((Program*)program)->image.data(), ((Program*)program)->image.size());
    return 0;
}

EXPORT int nvrtcDestroyProgram(Handle* program)
{
    delete (Program*)*program;
    *program = nullptr;
    return 0;
}
