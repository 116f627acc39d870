/**
 * This machine, through the Linux kernel. What users name lives here: machines, their settings, their errors. How the kernel is called lives in {@code kernel};
 * nothing here knows any device.
 */
@NullMarked
package io.twostep.machine.linux;

import org.jspecify.annotations.NullMarked;
