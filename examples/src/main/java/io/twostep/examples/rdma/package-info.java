/** What the {@code rdma} command does: a file moves between two modelled hosts while the memory that holds it is moved, shared, swapped out and unmapped. No printing here. */
@NullMarked
package io.twostep.examples.rdma;

import org.jspecify.annotations.NullMarked;
