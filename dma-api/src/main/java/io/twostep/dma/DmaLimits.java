package io.twostep.dma;

/**
 * What one attached device may expect of its mappings.
 *
 * @param granule smallest page of the address space, bytes; 1 where nothing translates
 * @param unit smallest piece that can be taken out of a reservation again, bytes
 * @param translates whether two-step reservations exist for this device
 * @param coherent whether the device sees CPU caches, so that no sync moves ownership of cache lines
 * @param maxMappingLength the most bytes one mapping may have
 * @param optimalMappingLength the most bytes a mapping may have without leaving the fast path
 * @param mergeBoundaryMask {@code 2^n - 1}: inner edges that are multiples of mask + 1 let a request be one range; 0 when ranges cannot merge
 * @param device the limits given at attach
 * @param dirtyTracking whether the address space can report written pages
 * @param addressingLimited whether the machine has memory the device cannot address without help
 */
public record DmaLimits(
    long granule,
    long unit,
    boolean translates,
    boolean coherent,
    long maxMappingLength,
    long optimalMappingLength,
    long mergeBoundaryMask,
    DeviceLimits device,
    boolean dirtyTracking,
    boolean addressingLimited) {}
