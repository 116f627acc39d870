/**
 * An adapter in software and the wire between two of them. An adapter reaches its machine's memory only as a device does, its translation tables included, and
 * another adapter only by packets; it knows nothing of the driver. No threads: a machine steps its adapter.
 */
@NullMarked
package io.twostep.device.rdma.model;

import org.jspecify.annotations.NullMarked;
