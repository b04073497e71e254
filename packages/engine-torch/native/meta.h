#pragma once

namespace bulwark {

/** Gives the device `meta` the operators that networks need and it lacks. */
void registerShapes();

}  // namespace bulwark
