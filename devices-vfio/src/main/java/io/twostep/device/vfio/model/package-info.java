/**
 * A migratable device in software: a copy engine with queues and commands in flight that does DMA all the time, and whose state can be saved while it does.
 */
@NullMarked
package io.twostep.device.vfio.model;

import org.jspecify.annotations.NullMarked;
