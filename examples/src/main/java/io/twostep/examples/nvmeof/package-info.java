/**
 * An NVMe over RDMA target in small: commands arrive by RDMA, and their data goes between the adapter and the controller's own memory without touching host memory, where the tree of the machine allows
 * it. What belongs here is that path and its proof; a transport for real would add queues, discovery and authentication.
 */
@NullMarked
package io.twostep.examples.nvmeof;

import org.jspecify.annotations.NullMarked;
