/**
 * Figures of one boot of the guest: our driver beside the kernel's on the same controller, and what mapping costs. Emulated processors and devices take their time in other places than real ones do, so these figures
 * are compared with each other and with nothing else.
 */
@NullMarked
package io.twostep.guest.figures;

import org.jspecify.annotations.NullMarked;
