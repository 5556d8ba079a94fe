import { random } from '../sign-in/attempt';
import { post, type SignedIn } from '../sign-in/store';

const KEY = 'leadlog.invitation';

let secret = random();

/** Uses an invitation up, for this tab, which may try again when the answer was lost. Rejects with `SignInError`. */
export async function redeem(code: string): Promise<SignedIn> {
  const signedIn = await post('/api/sign-in/invitation', { code, attempt: keptSecret() });
  // Whoever shows the invitation on this iPad next may be somebody else.
  secret = random();
  keep((storage) => storage.removeItem(KEY));
  return signedIn;
}

/** What this tab names its use of an invitation by: whoever has the invitation and not this is answered no second time. */
function keptSecret(): string {
  keep((storage) => {
    secret = storage.getItem(KEY) ?? secret;
    storage.setItem(KEY, secret);
  });
  return secret;
}

/** Where nothing can be kept, the secret goes with the page. */
function keep(act: (storage: Storage) => void): void {
  try {
    act(sessionStorage);
  } catch {
    // As above.
  }
}
