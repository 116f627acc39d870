/**
 * Memory that devices can reach: pages of this process, handed out in whole frames, and the windows of devices that lie in its address space. A physical address is a
 * process address here. Nothing here knows who maps it for whom.
 */
@NullMarked
package io.twostep.machine.linux.memory;

import org.jspecify.annotations.NullMarked;
