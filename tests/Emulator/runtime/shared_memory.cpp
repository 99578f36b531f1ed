#include "shared_memory.h"
#include "device.h"
#include <cstdio>
#include <cstring>
#include <dlfcn.h>
#include <link.h>

namespace emulator
{
    namespace
    {
        struct Segment { const void* code; char* begin; size_t bytes; };

        // __shared__ variables are thread_local ones of the kernel's library: its thread-local segment holds nothing else.
        int find(dl_phdr_info* info, size_t, void* wanted)
        {
            Segment* segment = (Segment*)wanted;
            bool isOurs = false;
            size_t bytes = 0;
            for (int i = 0; i < info->dlpi_phnum; i++)
            {
                const ElfW(Phdr)& part = info->dlpi_phdr[i];
                uintptr_t begin = info->dlpi_addr + part.p_vaddr, code = (uintptr_t)segment->code;
                if (part.p_type == PT_LOAD && code >= begin && code < begin + part.p_memsz) isOurs = true;
                if (part.p_type == PT_TLS) bytes = part.p_memsz;
            }
            if (!isOurs) return 0;
            segment->begin = (char*)info->dlpi_tls_data;
            segment->bytes = segment->begin ? bytes : 0;
            return 1;
        }

        const Segment& staticShared(const Kernel* kernel)
        {
            static thread_local Segment known{};
            if (known.code != (void*)kernel->run)
            {
                known = {(void*)kernel->run, nullptr, 0};
                dl_iterate_phdr(find, &known);
            }
            return known;
        }
    }

    void reserveDynamic(BlockState* b, size_t bytes)
    {
        b->dynamicBytes = bytes;
        if (bytes + CanaryBytes <= b->dynamicRoom) return;
        if (b->dynamicShared) unmapGuarded(b->dynamicShared, b->dynamicRoom);
        b->dynamicRoom = (bytes + CanaryBytes + 65535) / 65536 * 65536;
        b->dynamicShared = mapGuarded(b->dynamicRoom);
    }

    void fillShared(BlockState* b)
    {
        const Segment& segment = staticShared(b->request->kernel);
        if (segment.bytes) memset(segment.begin, 0xFF, segment.bytes);
        memset(b->dynamicShared, 0xFF, b->dynamicBytes);
        memset(b->dynamicShared + b->dynamicBytes, 0xA5, CanaryBytes);
    }

    void checkShared(BlockState* b)
    {
        for (int i = 0; i < CanaryBytes; i++)
        {
            if ((unsigned char)b->dynamicShared[b->dynamicBytes + i] == 0xA5) continue;
            char text[100];
            snprintf(text, sizeof text, "block (%u,%u,%u): wrote behind its dynamic shared memory", b->index.x, b->index.y, b->index.z);
            b->error = text;
            return;
        }
    }
}
