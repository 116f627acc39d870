package io.twostep.platform;

import io.twostep.dma.DeviceLimits;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * One device as the user described it, not yet checked.
 *
 * @param model name of the model to plug, or null for a device that is there
 * @param backends the stack as written
 * @param settings values by name as written, prefixes included; sorted
 */
record DeviceDescription(
    String address, @Nullable String model, List<String> backends, Map<String, String> settings, DeviceLimits limits) {}
