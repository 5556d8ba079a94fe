/**
 * The campaign that this iPad uses, where it is found without the library: the consents that the reduced
 * mode asks for must be those of the same campaign.
 */
import type { Campaign, Device } from '../device';

const NAME = 'leadlog-campaign';

export function rememberCampaign(device: Device): void {
  const keep = (campaign: Campaign) => {
    try {
      localStorage.setItem(NAME, JSON.stringify(campaign));
    } catch {
      // Then the reduced mode has the campaign that ships with the app.
    }
  };
  keep(device.campaign);
  device.onCampaign(keep);
}

/** The remembered campaign, unless the one that ships with the app is a newer version of it. */
export function rememberedCampaign(shipped: Campaign): Campaign {
  try {
    const remembered = JSON.parse(localStorage.getItem(NAME) ?? '') as Campaign;
    return remembered.id === shipped.id && remembered.version <= shipped.version ? shipped : remembered;
  } catch {
    return shipped;
  }
}
