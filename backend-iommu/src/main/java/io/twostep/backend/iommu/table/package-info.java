/**
 * Radix I/O page tables: one walker over table pages in a flat memory segment, with formats that are data.
 *
 * <p>What lives here is pure: table memory, the register that names the root, and time all come from outside; nothing
 * here invalidates, locks ranges or knows a device. Callers own the I/O address ranges they pass: two calls may run at
 * the same time when their ranges share no granule, whatever interior tables those ranges share. Results are the codes
 * of {@link io.twostep.backend.iommu.table.TableResult}; a call that does not answer {@code OK} has changed no
 * translation.
 */
@NullMarked
package io.twostep.backend.iommu.table;

import org.jspecify.annotations.NullMarked;
