/**
 * The NVMe host driver as its users see it: controllers, namespaces, queues and requests. What belongs here is what users call and the
 * engine behind it; the pure parts of the host's side are in {@code host}, the controller model in {@code model}, and both know of each other only the
 * layouts in {@code wire}.
 */
@NullMarked
package io.twostep.device.nvme;

import org.jspecify.annotations.NullMarked;
