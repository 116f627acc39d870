/**
 * What plugins implement: terminal backends, layers, machines, device models and drivers, and the small vocabulary that they
 * share. Everything is stated in primitives and plain interfaces; nothing here knows an injector or a particular machine.
 */
@NullMarked
package io.twostep.dma.spi;

import org.jspecify.annotations.NullMarked;
