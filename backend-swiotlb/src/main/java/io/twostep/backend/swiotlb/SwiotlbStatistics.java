package io.twostep.backend.swiotlb;

/**
 * What the bounce layer holds and did.
 *
 * @param slots slots of 2 KiB that have memory
 * @param usedSlots slots that are taken now
 * @param highWaterSlots most slots ever taken at once, summed over the areas there are: a pool goes with the last device of its address space
 * @param areas areas that have memory
 * @param grownAreas areas among them that were added because the first ones were full
 * @param devices devices attached through the layer
 * @param bytesIn bytes copied into slots
 * @param bytesOut bytes copied out of slots
 * @param exhausted requests refused because no slots were free
 * @param noMemory requests refused because no memory was left for slots within the device's reach
 * @param tooLarge requests refused because not even an empty pool held them
 * @param forbidden requests refused because the caller forbade bouncing
 * @param quota requests refused because the device held its quota
 * @param lostSlots slots that were still taken when their address space was closed
 */
public record SwiotlbStatistics(
    long slots,
    long usedSlots,
    long highWaterSlots,
    int areas,
    int grownAreas,
    int devices,
    long bytesIn,
    long bytesOut,
    long exhausted,
    long noMemory,
    long tooLarge,
    long forbidden,
    long quota,
    long lostSlots) {}
