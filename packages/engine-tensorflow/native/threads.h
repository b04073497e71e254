#pragma once

#include "winograd.h"

namespace bulwark {

/** Says how many threads the process computes on, the calling ones among them; the first call counts. */
void useThreads(int64_t count);

/** The threads of this process, which sleep where there is nothing to do. Several ops at once share them. */
const winograd::Threads& threads();

}  // namespace bulwark
