/**
 * The memory behind a registration: pinned for its whole life, or linked page by page as the device asks for it. Pages come from a mirrored process, I/O addresses
 * from the mapping layer; what an adapter does with them is behind {@link io.twostep.device.rdma.umem.DevicePageTable}.
 */
@NullMarked
package io.twostep.device.rdma.umem;

import org.jspecify.annotations.NullMarked;
