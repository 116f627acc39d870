/**
 * The guest whose devices migrate: its memory, and a program in it that keeps a device busy. The program keeps what it knows in the guest's memory and nowhere else, so that it goes on wherever that memory is.
 */
@NullMarked
package io.twostep.device.vfio.guest;

import org.jspecify.annotations.NullMarked;
