/**
 * A small machine and small backends, written by hand for this module's own tests: no other module is needed to try the contract, and nothing here is clever
 * enough to hide a fault of the code above it.
 */
@NullMarked
package io.twostep.dma.fake;

import org.jspecify.annotations.NullMarked;
