package io.twostep.platform;

import io.twostep.dma.spi.DmaPlugin;
import io.twostep.dma.spi.Setting;
import java.util.List;

/**
 * What is known of a plugin that was found.
 *
 * @param name the name users write
 * @param kind what it makes
 * @param version the version of its module or jar; {@code unknown} where neither says
 * @param module the name of its module, or of its jar where there is no module
 * @param implementation its class
 * @param description one line that says what it does
 * @param settings what can be set
 */
public record PluginInfo(
    String name,
    DmaPlugin.Kind kind,
    String version,
    String module,
    String implementation,
    String description,
    List<Setting> settings) {}
